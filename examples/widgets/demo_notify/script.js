define(['jquery'], function ($) {
  'use strict';

  // One text message: 70 characters when any of them is outside Latin-1, otherwise 160.
  var room = function (text) {
    return (/[^\u0000-\u00ff]/.test(text) ? 70 : 160) - text.length;
  };

  var CustomWidget = function () {
    var self = this;
    var ns = '.demo_notify';

    this.callbacks = {
      render: function () {
        return true;
      },
      init: function () {
        return true;
      },
      bind_actions: function () {
        return true;
      },
      settings: function ($modal_body) {
        $modal_body.find('input[name="sender"]').attr('maxlength', 11);
        return true;
      },
      onSave: function (data) {
        var sender = data && data.fields && data.fields.sender;

        if (sender && !/^[A-Za-z0-9]{1,11}$/.test(sender)) {
          AMOCRM.notifications.show_message({
            header: self.i18n('widget').name,
            text: self.i18n('errors').sender
          });
          return false;
        }
        return true;
      },
      // The window of the action in the digital pipeline: count the characters that are left.
      dpSettings: function () {
        var $message = $('.digital-pipeline__edit-forms input[name="message"]');
        var $counter = $('<span>').insertAfter($message);

        $message.off(ns).on('input' + ns, function () {
          $counter.text(self.i18n('dp').counter + ' ' + room(String($message.val())));
        }).trigger('input' + ns);
        return true;
      },
      destroy: function () {
        $('.digital-pipeline__edit-forms input[name="message"]').off(ns);
      }
    };
    return this;
  };

  return CustomWidget;
});
